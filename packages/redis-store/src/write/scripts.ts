import { Script } from "../servers/script.ts";

/**
 * Moves a key's expiry forward to `at`, never back: EXPIREAT … GT would do nothing on a key without one, and is not in
 * Redis 6.2.
 */
const keep = `
local function keep(key, at)
  local left = redis.call('PTTL', key)
  if left >= 0 then
    local now = redis.call('TIME')
    if now[1] * 1000 + math.floor(now[2] / 1000) + left >= tonumber(at) then return end
  end
  redis.call('PEXPIREAT', key, at)
end
`;

/**
 * Stores fragments of one bucket, and moves what the host's hash says of the newest ones forward (R19). From ARGV[at]:
 * how many statements there are, the shape of each, then field and bytes of each fragment, of which the first are the
 * statements. `known` is what the host's hash has for its version, when it was last seen and each shape. A statement replaces an older one of its shape; of two of one instant both stay, for readers fold (R4).
 * Returns how many statements the host has more than before.
 */
const store = `
local function known_of(host, at)
  return redis.call('HMGET', host, 'v', 't', unpack(ARGV, at + 1, at + tonumber(ARGV[at])))
end
local function store(host, bucket, at, known)
  local count = tonumber(ARGV[at])
  local first = at + 1 + count
  local last = known[2] and struct.unpack('>i8', known[2])
  local changes = {}
  local size = 0
  local added = 0
  for i = 1, count do
    local field = ARGV[first + 2 * i - 2]
    local bytes = ARGV[first + 2 * i - 1]
    local instant = string.sub(field, 1, 8)
    local ms = struct.unpack('>i8', instant)
    local name = ARGV[at + i]
    local before = known[i + 2]
    local beforeMs = before and struct.unpack('>i8', before)
    if before and ms == beforeMs then
      local kept = redis.call('HGET', host, 'b' .. string.sub(name, 2))
      if kept == bytes then name = false else name = name .. string.sub(field, 9, 16) end
      if name then added = added + 1 - redis.call('HEXISTS', host, name) end
    elseif before and ms < beforeMs then
      name = false
    elseif not before then
      added = added + 1
    end
    if name then
      changes[size + 1] = name
      changes[size + 2] = instant
      changes[size + 3] = 'b' .. string.sub(name, 2)
      changes[size + 4] = bytes
      size = size + 4
    end
    if not last or ms > last then
      last = ms
      changes[size + 1] = 't'
      changes[size + 2] = instant
      size = size + 2
    end
  end
  if size > 0 then redis.call('HSET', host, unpack(changes)) end
  redis.call('HSET', bucket, unpack(ARGV, first))
  return added
end
`;

/**
 * KEYS: host, bucket. ARGV: the version that the writer knows the host by, then what `store` takes. Returns a version
 * when the host has another, and has done nothing then; else an integer.
 */
export const writeScript: Script = new Script(`${store}
local known = known_of(KEYS[1], 2)
local version = known[1] or ''
if version ~= ARGV[1] then return version end
return store(KEYS[1], KEYS[2], 2, known)
`);

/**
 * The same where more is to be set than fragments: a bucket's place in the index, that its block has something
 * to pack, expiries, new series (R14, R18, R28).
 *
 * KEYS: host, bucket, index, series, unpacked. ARGV: the version known, the new version or an empty text, the starts of
 * the bucket and of its block, when the bucket expires, when the rest does, below which start the index is trimmed (each of
 * the three may be empty), how many series there are, id and value of each, then what `store` takes.
 */
export const writeAllScript: Script = new Script(`${keep}${store}
local host, bucket, index, series, unpacked = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local count = tonumber(ARGV[8])
local known = known_of(host, 9 + 2 * count)
local version = known[1] or ''
if version ~= ARGV[1] then return version end
if ARGV[2] ~= '' then redis.call('HSET', host, 'v', ARGV[2]) end
for i = 9, 7 + 2 * count, 2 do
  local entry = redis.call('HGET', series, ARGV[i])
  if not entry or string.byte(entry) > string.byte(ARGV[i + 1]) then
    redis.call('HSET', series, ARGV[i], ARGV[i + 1])
  end
end
local added = store(host, bucket, 9 + 2 * count, known)
redis.call('ZADD', index, ARGV[3], ARGV[3])
redis.call('ZADD', unpacked, ARGV[4], ARGV[4])
if ARGV[7] ~= '' then
  redis.call('ZREMRANGEBYSCORE', index, '-inf', '(' .. ARGV[7])
  redis.call('ZREMRANGEBYSCORE', unpacked, '-inf', '(' .. ARGV[7])
end
if ARGV[5] ~= '' then redis.call('PEXPIREAT', bucket, ARGV[5]) end
if ARGV[6] ~= '' then
  keep(host, ARGV[6])
  keep(series, ARGV[6])
  keep(index, ARGV[6])
  keep(unpacked, ARGV[6])
end
return added
`);

/**
 * Says in the registry that hosts have changed. KEYS: registry, its log. ARGV: a name for the log, should it have none,
 * then host ids.
 */
export const registerScript: Script = new Script(`
redis.call('HSETNX', KEYS[2], 'epoch', ARGV[1])
for i = 2, #ARGV do
  redis.call('ZADD', KEYS[1], redis.call('HINCRBY', KEYS[2], 'changes', 1), ARGV[i])
end
return redis.status_reply('OK')
`);

/**
 * Takes hosts out of the registry unless they have changed since. KEYS: registry, its log. ARGV: the change that was
 * seen and the id, of each host.
 */
export const unregisterScript: Script = new Script(`
local removed = 0
for i = 1, #ARGV, 2 do
  local change = redis.call('ZSCORE', KEYS[1], ARGV[i + 1])
  if change and tonumber(change) == tonumber(ARGV[i]) then
    removed = removed + redis.call('ZREM', KEYS[1], ARGV[i + 1])
  end
end
if removed > 0 then redis.call('HINCRBY', KEYS[2], 'changes', 1) end
return removed
`);

/**
 * Replaces statements of a host by others that say the same. KEYS: host. ARGV: how many there are to go, field and
 * instant of each, then field, instant and bytes of those that come. Does nothing and returns 0 when one of those to go
 * is another by now.
 */
export const condenseScript: Script = new Script(`
local host = KEYS[1]
local count = tonumber(ARGV[1])
for i = 2, 2 * count, 2 do
  if redis.call('HGET', host, ARGV[i]) ~= ARGV[i + 1] then return 0 end
end
for i = 2, 2 * count, 2 do
  redis.call('HDEL', host, ARGV[i], 'b' .. string.sub(ARGV[i], 2))
end
for i = 2 + 2 * count, #ARGV, 3 do
  local known = redis.call('HGET', host, ARGV[i])
  if not known or struct.unpack('>i8', known) < struct.unpack('>i8', ARGV[i + 1]) then
    redis.call('HSET', host, ARGV[i], ARGV[i + 1], 'b' .. string.sub(ARGV[i], 2), ARGV[i + 2])
  end
end
return 1
`);

/**
 * Sets metadata of a host. KEYS: host. ARGV: the new version, unless the host's is as high, when the host expires (or
 * empty), then field and value of each.
 */
export const describeScript: Script = new Script(`${keep}
local version = redis.call('HGET', KEYS[1], 'v')
local next = ARGV[1]
if version and tonumber(version) >= tonumber(next) then next = string.format('%.0f', tonumber(version) + 1) end
redis.call('HSET', KEYS[1], 'v', next, unpack(ARGV, 3))
if ARGV[2] ~= '' then keep(KEYS[1], ARGV[2]) end
return redis.status_reply('OK')
`);

/** Removes buckets and their places in the index. KEYS: index, unpacked, buckets. ARGV: the start of each bucket. */
export const trimBucketsScript: Script = new Script(`
redis.call('UNLINK', unpack(KEYS, 3))
redis.call('ZREM', KEYS[1], unpack(ARGV))
redis.call('ZREM', KEYS[2], unpack(ARGV))
return redis.status_reply('OK')
`);

/**
 * Forgets series of a host whose newest samples are older than others, as long as the host is what was read of it.
 *
 * KEYS: host, series. ARGV: the version read, the new version (empty: the host goes altogether), how many statements were
 * read, field and instant of each, how many of them go, their fields, then the ids of series that go. Returns 1, or 0
 * when the host has changed and nothing was done.
 */
export const trimHostScript: Script = new Script(`
local host, series = KEYS[1], KEYS[2]
if (redis.call('HGET', host, 'v') or '') ~= ARGV[1] then return 0 end
local count = tonumber(ARGV[3])
for i = 4, 2 + 2 * count, 2 do
  if redis.call('HGET', host, ARGV[i]) ~= ARGV[i + 1] then return 0 end
end
local found = 0
for _, field in ipairs(redis.call('HKEYS', host)) do
  if string.sub(field, 1, 1) == 's' then found = found + 1 end
end
if found ~= count then return 0 end
if ARGV[2] == '' then
  redis.call('UNLINK', host, series)
  return 1
end
local at = 4 + 2 * count
local gone = tonumber(ARGV[at])
for i = at + 1, at + gone do
  redis.call('HDEL', host, ARGV[i], 'b' .. string.sub(ARGV[i], 2))
end
for i = at + gone + 1, #ARGV do redis.call('HDEL', series, ARGV[i]) end
redis.call('HSET', host, 'v', ARGV[2])
return 1
`);

/**
 * Deletes what a chunk has taken the place of, if that chunk is there (R13). KEYS: chunks, columns, unpacked, index,
 * buckets. ARGV: the field of the chunk, start and end of its block, how many other chunks go, their fields, how many
 * columns, their fields, then for each bucket how many fragments go, and their fields. Returns whether the chunk was there.
 * The block is packed when these are all the buckets that the index has of it, and all are empty.
 */
export const replaceScript: Script = new Script(`
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
local at = 4
local function delete(key)
  local last = at + tonumber(ARGV[at])
  for i = at + 1, last, 500 do
    redis.call('HDEL', key, unpack(ARGV, i, math.min(i + 499, last)))
  end
  at = last + 1
end
delete(KEYS[1])
delete(KEYS[2])
local left = 0
for i = 5, #KEYS do
  delete(KEYS[i])
  left = left + redis.call('EXISTS', KEYS[i])
end
if left == 0 and redis.call('ZCOUNT', KEYS[4], ARGV[2], ARGV[3]) == #KEYS - 4 then
  redis.call('ZREM', KEYS[3], ARGV[2])
end
return 1
`);
