// Elements from data. What agents say is only ever set as text: markup in it stays text.

const SVG = "http://www.w3.org/2000/svg";

/** Return an HTML element; properties are attributes, or listeners if they are functions. */
export function el(tag, properties = {}, ...children) {
  return filled(document.createElement(tag), properties, children);
}

/** Return an SVG element, made as `el` makes HTML. */
export function svg(tag, properties = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), properties, children);
}

/** Replace what an element shows; the focus stays on what has the same `data-key`. */
export function show(parent, ...children) {
  const focused = document.activeElement;
  const key = parent.contains(focused) ? focused.getAttribute("data-key") : null;
  parent.replaceChildren(...nodes(children));
  if (key !== null) {
    const again = [...parent.querySelectorAll("[data-key]")];
    again.find((node) => node.getAttribute("data-key") === key)?.focus({ preventScroll: true });
  }
}

function filled(node, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...nodes(children));
  return node;
}

function nodes(children) {
  return children.flat(2).filter((child) => child !== null && child !== undefined && child !== false);
}
