//! A shape, compiled: where everything is in a row, and how to build its records.

use std::collections::HashMap;
use std::sync::Arc;

use meshaccel_core::group::{Collection, CollectionId, Layout, RowKind};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use crate::json::{Place, Policy, write_value};

pub struct Plan {
    pub layout: Arc<Layout>,
    /// By collection.
    pub records: Vec<RecordPlan>,
    pub joined: RowPlan,
    /// By collection.
    pub levels: Vec<RowPlan>,
    /// What the outermost records are called.
    pub table: String,
    /// Whether a row without outermost record is an error.
    pub refuses_null_key: bool,
    pub refuses_orphans: bool,
    pub max_rows: Option<usize>,
}

/// A kind of row, and what its columns are called.
#[derive(Default)]
pub struct RowPlan {
    pub kind: RowKind,
    /// Of its level: empty for the outermost, and for joined rows.
    pub path: String,
    pub columns: Vec<RowColumn>,
}

pub struct RowColumn {
    /// The name with its path, unique.
    pub label: String,
    /// The same, to look it up in a dict.
    pub key: Py<PyString>,
    /// The name alone.
    pub bare: Py<PyString>,
    /// Whether no other column of the row has this name.
    pub is_unique: bool,
}

/// How to build a record.
pub struct RecordPlan {
    /// Every name of a record, with None: copying it allocates once, where inserting names one
    /// by one grows the dict twice.
    pub template: Py<PyDict>,
    pub columns: Vec<RecordColumn>,
    /// Positions among the columns.
    pub key: Vec<usize>,
    /// Whether any column holds documents that are not left as text.
    pub has_documents: bool,
    pub children: Vec<ChildPlan>,
}

pub struct RecordColumn {
    pub name: Py<PyString>,
    /// For messages.
    pub label: String,
    /// The start of the member in a JSON object: `"name":`, behind a comma if it is not the first.
    pub member: Vec<u8>,
    pub policy: Option<Policy>,
}

pub struct ChildPlan {
    pub name: Py<PyString>,
    pub member: Vec<u8>,
    pub collection: CollectionId,
}

#[derive(FromPyObject)]
struct ShapeSpec {
    table: String,
    null_key: String,
    orphans: String,
}

/// What a shape and a child have in common.
#[derive(FromPyObject)]
struct RecordSpec<'py> {
    key: Vec<String>,
    columns: Vec<String>,
    presence: Vec<String>,
    json: Bound<'py, PyAny>,
    children: Bound<'py, PyAny>,
}

impl Plan {
    pub fn new(shape: &Bound<'_, PyAny>, max_rows: Option<usize>) -> PyResult<Self> {
        let spec: ShapeSpec = shape.extract()?;
        let mut outermost: RecordSpec<'_> = shape.extract()?;
        if spec.null_key == "group" {
            outermost.presence.clear();
        }
        let mut plan = Self {
            layout: Arc::default(),
            records: Vec::new(),
            joined: RowPlan::default(),
            levels: Vec::new(),
            refuses_null_key: spec.null_key == "error",
            refuses_orphans: spec.orphans == "error",
            table: spec.table,
            max_rows,
        };
        let mut layout = Layout::default();
        plan.add(shape.py(), &mut layout, None, "", &outermost)?;
        plan.layout = Arc::new(layout);
        plan.joined.tell_unique_names();
        Ok(plan)
    }

    /// Lay out a collection, and then its children, depth first.
    fn add(
        &mut self,
        py: Python<'_>,
        layout: &mut Layout,
        parent: Option<CollectionId>,
        path: &str,
        spec: &RecordSpec<'_>,
    ) -> PyResult<CollectionId> {
        let key = positions(&spec.key, &spec.columns)?;
        let id = layout.add(&Collection {
            parent,
            width: spec.columns.len(),
            key: key.clone(),
            presence: positions(&spec.presence, &spec.columns)?,
        });
        let owner = if path.is_empty() { &self.table } else { path };
        let record = RecordPlan::new(py, owner, key, spec)?;
        self.joined.add(py, &record.columns);
        let mut level = RowPlan {
            kind: RowKind::Level(id),
            path: path.to_owned(),
            columns: Vec::new(),
        };
        for ancestor in layout.ancestors(id) {
            if let Some(above) = self.records.get(ancestor) {
                level.add(py, above.key.iter().filter_map(|at| above.columns.get(*at)));
            }
        }
        level.add(py, &record.columns);
        level.tell_unique_names();
        self.levels.push(level);
        self.records.push(record);
        for item in spec.children.call_method0("items")?.try_iter()? {
            let (name, child): (String, RecordSpec<'_>) = item?.extract()?;
            let child_path = match path {
                "" => name.clone(),
                _ => format!("{path}.{name}"),
            };
            let collection = self.add(py, layout, Some(id), &child_path, &child)?;
            if let Some(record) = self.records.get_mut(id) {
                let name = PyString::intern(py, &name);
                record.template.bind(py).set_item(&name, py.None())?;
                record.children.push(ChildPlan {
                    member: member(&name, record.columns.is_empty())?,
                    name: name.unbind(),
                    collection,
                });
            }
        }
        Ok(id)
    }

    /// The rows of one level, by its path; of all levels joined without.
    pub fn rows(&self, level: Option<&str>) -> PyResult<&RowPlan> {
        let Some(path) = level else {
            return Ok(&self.joined);
        };
        let (id, row) = self
            .levels
            .iter()
            .enumerate()
            .find(|(_, row)| row.path == path)
            .ok_or_else(|| {
                let message = format!("{}: no collection is called '{path}'", self.table);
                PyValueError::new_err(message)
            })?;
        let keyless = self
            .layout
            .ancestors(id)
            .filter_map(|above| Some((above, self.records.get(above)?)))
            .find(|(_, record)| record.key.is_empty());
        if let Some((above, _)) = keyless {
            let owner = self.levels.get(above).map_or("", |row| row.path.as_str());
            let message = format!("{owner}: without a key, children of its own cannot find it");
            return Err(PyValueError::new_err(message));
        }
        Ok(row)
    }
}

impl RowPlan {
    fn add<'a>(&mut self, py: Python<'_>, columns: impl IntoIterator<Item = &'a RecordColumn>) {
        self.columns
            .extend(columns.into_iter().map(|column| RowColumn {
                label: column.label.clone(),
                key: PyString::intern(py, &column.label).unbind(),
                bare: column.name.clone_ref(py),
                is_unique: true,
            }));
    }

    fn tell_unique_names(&mut self) {
        let mut times: HashMap<_, usize> = HashMap::new();
        for column in &self.columns {
            // Interned: one object for one name.
            *times.entry(column.bare.as_ptr()).or_default() += 1;
        }
        for column in &mut self.columns {
            column.is_unique = times.get(&column.bare.as_ptr()) == Some(&1);
        }
    }

    /// The label of a column, for messages.
    pub fn label(&self, column: usize) -> &str {
        self.columns
            .get(column)
            .map_or("", |column| column.label.as_str())
    }
}

impl RecordPlan {
    fn new(py: Python<'_>, owner: &str, key: Vec<usize>, spec: &RecordSpec<'_>) -> PyResult<Self> {
        let template = PyDict::new(py);
        let mut columns = Vec::with_capacity(spec.columns.len());
        for column in &spec.columns {
            let name = PyString::intern(py, column);
            template.set_item(&name, py.None())?;
            columns.push(RecordColumn {
                label: format!("{owner}.{column}"),
                member: member(&name, columns.is_empty())?,
                policy: policy(&spec.json, &name)?,
                name: name.unbind(),
            });
        }
        Ok(Self {
            template: template.unbind(),
            has_documents: columns.iter().any(|column| column.policy.is_some()),
            columns,
            key,
            children: Vec::new(),
        })
    }

    /// Where the value of a column is, for messages. Its record starts at `start`.
    pub fn place(
        &self,
        values: &Bound<'_, PyTuple>,
        start: usize,
        position: usize,
        row: usize,
    ) -> Place {
        let py = values.py();
        let key: PyResult<Vec<_>> = self
            .key
            .iter()
            .map(|at| values.get_borrowed_item(start + at))
            .collect();
        let key = key.and_then(|key| PyTuple::new(py, key));
        Place {
            row,
            column: self
                .columns
                .get(position)
                .map_or_else(String::new, |column| column.label.clone()),
            key: key.unwrap_or_else(|_| PyTuple::empty(py)).unbind(),
        }
    }
}

fn positions(names: &[String], columns: &[String]) -> PyResult<Vec<usize>> {
    names
        .iter()
        .map(|name| {
            columns
                .iter()
                .position(|column| column == name)
                .ok_or_else(|| PyValueError::new_err(format!("no column {name:?}")))
        })
        .collect()
}

/// None: the column's value is left alone.
fn policy(json: &Bound<'_, PyAny>, column: &Bound<'_, PyString>) -> PyResult<Option<Policy>> {
    let Some(name) = json
        .call_method1("get", (column,))?
        .extract::<Option<String>>()?
    else {
        return Ok(None);
    };
    match name.as_str() {
        "text" => Ok(None),
        "raw" => Ok(Some(Policy::Raw)),
        "lazy" => Ok(Some(Policy::Lazy)),
        "shared" => Ok(Some(Policy::Shared)),
        "eager" => Ok(Some(Policy::Eager)),
        _ => Err(PyValueError::new_err(format!("no JSON policy {name:?}"))),
    }
}

fn member(name: &Bound<'_, PyString>, is_first: bool) -> PyResult<Vec<u8>> {
    let mut member = Vec::new();
    if !is_first {
        member.push(b',');
    }
    write_value(&mut member, name, "", None)?;
    member.push(b':');
    Ok(member)
}
