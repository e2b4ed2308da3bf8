"""What runs within a Redis or Valkey server: each change or reading is one of these, atomically.

Keys of a namespace, all with the hash tag ``{namespace}``, hence in one slot of a cluster:

* ``{namespace}:v``, a sorted set of numbers. Notes of tags are members with the number as their
  score: ``t`` and the tag for its last invalidation, ``x`` and the tag for its last expiry. What
  they mean depends on four members with a score of zero or below, so that all of it is lost
  together, or nothing: ``i`` the incarnation, ``n`` the number, ``f`` the floor, each negated,
  and ``r`` with the server's run id.
* ``{namespace}:d``, a sorted set of the keys that were deleted or put, with the number as score,
  beside ``i`` (as above, or it is of another time) and ``f``, a floor of its own.
* ``{namespace}:e:KEY``, the records (``record.py``).
* ``{namespace}:b``, the channel on which changes are told.

Below the floor, notes were forgotten: nothing older counts.
"""

from hashlib import sha1
from typing import Final

_PRESENT: Final = """
local function present()
  local found = redis.call('ZMSCORE', KEYS[1], 'i', 'n', 'f')
  if not (found[1] and found[2] and found[3]) then return nil end
  return {
    sign = found[1], incarnation = struct.pack('>d', -tonumber(found[1])),
    number = -tonumber(found[2]), floor = -tonumber(found[3]),
  }
end
"""

# Bytes of another format, or damaged, raise an error within, and are no entry.
_PARSE: Final = """
local function parse(record)
  local magic, format, flags, incarnation, number, fresh, kept, count, at =
    struct.unpack('>c2BBc8dddI4', record)
  if magic ~= 'MA' or format ~= 1 then return nil end
  local tags = {}
  for n = 1, count do
    tags[n], at = struct.unpack('>I4c0', record, at)
  end
  return {incarnation = incarnation, number = number, tags = tags}
end

local function parsed(record)
  if type(record) ~= 'string' then return nil end
  local fine, entry = pcall(parse, record)
  return fine and entry or nil
end
"""

_NOTES: Final = """
local notes = {t = {}, x = {}}

local function newest(kind, tags)
  local known, asked, names = notes[kind], {}, {}
  local function ask()
    if #asked == 0 then return end
    for n, score in ipairs(redis.call('ZMSCORE', KEYS[1], unpack(asked))) do
      known[names[n]] = tonumber(score or 0)
    end
    asked, names = {}, {}
  end
  for _, tag in ipairs(tags) do
    if not known[tag] then
      asked[#asked + 1], names[#names + 1] = kind .. tag, tag
      if #asked == 1000 then ask() end
    end
  end
  ask()
  local last = 0
  for _, tag in ipairs(tags) do
    if known[tag] > last then last = known[tag] end
  end
  return last
end
"""

# A set that is lost, or of another incarnation, may have said anything up to now.
_GONE: Final = """
local function begin_gone(now)
  redis.call('DEL', KEYS[2])
  redis.call('ZADD', KEYS[2], now.sign, 'i', -now.number, 'f')
end

local function gone_since(now, key)
  local found = redis.call('ZMSCORE', KEYS[2], 'i', 'f', key)
  if not (found[1] == now.sign and found[2]) then
    begin_gone(now)
    return now.number
  end
  return tonumber(found[3] or -tonumber(found[2]))
end
"""

_CHANGE: Final = """
local function trim(set, controls, max_notes)
  local surplus = redis.call('ZCARD', set) - controls - max_notes
  if surplus <= 0 then return end
  local last = controls + surplus + math.floor(max_notes / 10) - 1
  local floor = redis.call('ZRANGE', set, last, last, 'WITHSCORES')[2]
  redis.call('ZREMRANGEBYSCORE', set, 1, floor)
  redis.call('ZADD', set, 'LT', -tonumber(floor), 'f')
end

local function take_number(now)
  now.number = -tonumber(redis.call('ZINCRBY', KEYS[1], -1, 'n'))
end

local function tell(now, channel, message)
  redis.call('PUBLISH', channel, now.incarnation .. struct.pack('>d', now.number) .. message)
end
"""

# Another run of the server may have begun with old data: what was acknowledged may be forgotten.
# So it was if the number has fallen below one that the client has seen.
_BEGIN: Final = """#!lua flags=allow-oom
local run = 'r' .. string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local found = redis.call('ZMSCORE', KEYS[1], 'i', 'n', 'f', run)
if found[1] and found[2] and found[3] and found[4] then
  local seen = -tonumber(found[1]) == tonumber(ARGV[2])
  if not seen or -tonumber(found[2]) >= tonumber(ARGV[3]) then return 0 end
end
redis.call('DEL', KEYS[1])
redis.call('DEL', KEYS[2])
redis.call('ZADD', KEYS[1], -tonumber(ARGV[1]), 'i', 0, 'n', 0, 'f', -1, run)
redis.call('ZADD', KEYS[2], -tonumber(ARGV[1]), 'i', 0, 'f')
return 1
"""

# The hot one: two commands, whatever the number of keys and tags (up to some thousands).
_READ: Final = """#!lua flags=no-writes
local names, place = {'i', 'n', 'f'}, {}

local function note(tag)
  if place[tag] then return end
  local last = #names
  names[last + 1], names[last + 2], place[tag] = 't' .. tag, 'x' .. tag, last + 1
end

local function parse(record)
  if string.sub(record, 1, 3) ~= 'MA\\1' then return false end
  local entry, count, at = {record}, struct.unpack('>I4', record, 37)
  for n = 2, count + 1 do
    entry[n], at = struct.unpack('>I4c0', record, at)
    note(entry[n])
  end
  return entry
end

local entries, at = {}, 1
for first = 3, #KEYS, 1000 do
  local records = redis.call('MGET', unpack(KEYS, first, math.min(first + 999, #KEYS)))
  for n = 1, #records do
    local fine, entry = pcall(parse, records[n])
    local last = at + tonumber(ARGV[at])
    if fine and entry then
      for each = at + 1, last do
        note(ARGV[each])
        entry[#entry + 1] = ARGV[each]
      end
    end
    entries[#entries + 1] = fine and entry
    at = last + 1
  end
end

local scores = redis.call('ZMSCORE', KEYS[1], unpack(names, 1, math.min(#names, 4000)))
for first = 4001, #names, 4000 do
  local more = {unpack(names, first, math.min(first + 3999, #names))}
  for n, score in ipairs(redis.call('ZMSCORE', KEYS[1], unpack(more))) do
    scores[first + n - 1] = score
  end
end

local sign, floor = scores[1], scores[3]
if not (sign and scores[2] and floor) then return false end
local incarnation = struct.pack('>d', -tonumber(sign))
floor = -tonumber(floor)
local answer = {sign, scores[2]}
for n = 1, #entries do
  local entry, found, expired = entries[n], false, 0
  if entry and string.sub(entry[1], 5, 12) == incarnation then
    local number = struct.unpack('>d', entry[1], 13)
    found = number >= floor and entry[1]
    for tag = 2, #entry do
      local at = place[entry[tag]]
      if scores[at] and tonumber(scores[at]) > number then found = false end
      if scores[at + 1] and tonumber(scores[at + 1]) > number then expired = 1 end
    end
  end
  answer[2 * n + 1], answer[2 * n + 2] = found, expired
end
return answer
"""

_WRITE: Final = (
    "#!lua\n"
    + _PRESENT
    + _PARSE
    + _NOTES
    + _GONE
    + """
local now = present()
if not now then return false end
local record, ttl = ARGV[1], ARGV[2]
local entry = parsed(record)
if entry.incarnation ~= now.incarnation then return 0 end
if entry.number < now.floor or entry.number > now.number then return 0 end
if gone_since(now, KEYS[3]) > entry.number then return 0 end
if newest('t', entry.tags) > entry.number then return 0 end
local there = parsed(redis.pcall('GET', KEYS[3]))
if there and there.incarnation == now.incarnation and there.number > entry.number then return 0 end
redis.call('SET', KEYS[3], record, 'PX', ttl)
return 1
"""
)

# A command whose answer was not waited for may be executed long after: hence the version that
# its sender knew. What has happened to the key or a tag since was, perhaps, meant to be later.
_PUT: Final = (
    "#!lua\n"
    + _PRESENT
    + _PARSE
    + _NOTES
    + _GONE
    + _CHANGE
    + """
local now = present()
if not now then return false end
local record, ttl, max_notes, channel, message = unpack(ARGV)
local entry = parsed(record)
local answer = {0, now.incarnation, string.format('%.0f', now.number)}
if entry.incarnation ~= now.incarnation or entry.number > now.number then return answer end
if entry.number < now.floor or gone_since(now, KEYS[3]) > entry.number then return answer end
if newest('t', entry.tags) > entry.number then return answer end
take_number(now)
redis.call('ZADD', KEYS[2], now.number, KEYS[3])
trim(KEYS[2], 2, tonumber(max_notes))
record = string.sub(record, 1, 12) .. struct.pack('>d', now.number) .. string.sub(record, 21)
redis.call('SET', KEYS[3], record, 'PX', ttl)
tell(now, channel, message)
return {1, now.incarnation, string.format('%.0f', now.number)}
"""
)

_FORGET: Final = (
    "#!lua flags=allow-oom\n"
    + _PRESENT
    + _GONE
    + _CHANGE
    + """
local now = present()
if not now then return false end
local what, max_notes, channel, message = unpack(ARGV, 1, 4)
gone_since(now, 'i')
take_number(now)
if what == 'd' then
  for n = 3, #KEYS do
    redis.call('ZADD', KEYS[2], now.number, KEYS[n])
    redis.call('UNLINK', KEYS[n])
  end
  trim(KEYS[2], 2, tonumber(max_notes))
elseif what == 'c' then
  redis.call('ZREMRANGEBYSCORE', KEYS[1], 1, '+inf')
  redis.call('ZADD', KEYS[1], -now.number, 'f')
  begin_gone(now)
else
  for n = 5, #ARGV do redis.call('ZADD', KEYS[1], now.number, what .. ARGV[n]) end
  trim(KEYS[1], 4, tonumber(max_notes))
end
tell(now, channel, message)
return {now.incarnation, string.format('%.0f', now.number)}
"""
)


class Script:
    """A script for one namespace.

    Its name is in the text: a server that knows the script was asked to ``begin`` the namespace
    since it was started.
    """

    def __init__(self, text: str, namespace: bytes) -> None:
        self.text = text.encode() + b"-- " + namespace.hex().encode()
        self.sha = sha1(self.text, usedforsecurity=False).hexdigest()


class Scripts:
    """The scripts for one namespace."""

    def __init__(self, namespace: bytes) -> None:
        self.begin = Script(_BEGIN, namespace)
        self.read = Script(_READ, namespace)
        self.write = Script(_WRITE, namespace)
        self.put = Script(_PUT, namespace)
        self.forget = Script(_FORGET, namespace)

    def to_load(self) -> tuple[Script, ...]:
        """Those that are called by their hash."""
        return self.read, self.write, self.put, self.forget
