-- What is written in one act. KEYS[1]: the prefix of every key, with a {tag}, so that all of them lie in one slot.
--
--   prefix:s:<id>     hash    the session; it outlives its time, so that a sweep can hand it back
--   prefix:ends       zset    all, by when their time is over
--   prefix:free       zset    those that have proved nothing, by age
--   prefix:o:<owner>  zset    those of one owner, by rank and age
--
-- A member of a zset is "<id>:<owner>". Ranks: 0 has proved nothing, 1 something, 2 claimed, 3 consumed.
local call, prefix, time = redis.call, KEYS[1], redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ends, free, RANK = prefix .. ':ends', prefix .. ':free', 2 ^ 48
local function hash(id) return prefix .. ':s:' .. id end
local function own(owner) return prefix .. ':o:' .. owner end
local function text(number) return string.format('%.0f', number) end
local function first(set, from, to) return call('ZRANGEBYSCORE', set, text(from), '(' .. text(to), 'LIMIT', 0, 1)[1] end
local function is_over(member) return member and tonumber(call('ZSCORE', ends, member) or 0) <= now end

local function drop(member)
  local id, owner = member:match('^(.-):(.+)$')
  local session = call('HGET', hash(id), 'session') or ''
  call('DEL', hash(id))
  call('ZREM', ends, member)
  call('ZREM', free, member)
  call('ZREM', own(owner), member)
  return { id, session }
end

if ARGV[1] == 'sweep' then
  local gone = {}
  for _, member in ipairs(call('ZRANGEBYSCORE', ends, 0, text(now), 'LIMIT', 0, ARGV[2])) do
    local id, session = unpack(drop(member))
    table.insert(gone, id)
    table.insert(gone, session)
  end
  return gone
end

local _, leaving, leaving_at, id, expected, revision, rank, left, life, session, keep, kept, owner, all, each = unpack(ARGV)
rank, left, life = tonumber(rank), tonumber(left), tonumber(life)
local left_by = leaving ~= '' and call('HMGET', hash(leaving), 'revision', 'owner')
if left_by and left_by[1] ~= leaving_at then return { 'lost' } end
local evicted
if id ~= '' then
  local there = call('HMGET', hash(id), 'revision', 'owner', 'due', 'serial', 'rank')
  if (there[1] or '') ~= expected then return { 'lost' } end
  local due, serial, was = tonumber(there[3]), tonumber(there[4]), tonumber(there[5])
  if expected == '' then
    local theirs = owner ~= '0' and call('ZCARD', own(owner)) >= tonumber(each)
    if theirs or call('ZCARD', ends) >= tonumber(all) then
      local victim, wait = not theirs and first(ends, 0, now + 1), nil
      for place = 0, theirs and 3 or -1 do
        local oldest = first(own(owner), place * RANK, (place + 1) * RANK)
        victim = victim or (is_over(oldest) and oldest)
        wait = math.min(wait or math.huge, oldest and call('ZSCORE', ends, oldest) or math.huge)
      end
      victim = victim or (not theirs and call('ZRANGE', free, 0, 0)[1])
      victim = victim or (owner ~= '0' and first(own(owner), 0, 2 * RANK))
      if not victim then
        wait = wait or call('ZRANGE', ends, 0, 0, 'WITHSCORES')[2]
        return { 'full', text(math.max(wait - now, 1)) }
      end
      evicted = drop(victim)
    end
    due = now + left
  else
    owner = there[2]
  end
  if not serial or (rank == 3 and was ~= 3) then serial = call('INCR', prefix .. ':serial') end
  local member, over = id .. ':' .. owner, due
  if rank == 2 then over = due + life end
  if rank == 3 then over = was == 3 and call('ZSCORE', ends, member) or now + left end
  call('HSET', hash(id), 'revision', revision, 'owner', owner, 'due', text(due), 'serial', serial, 'rank', rank, 'session', session)
  if keep == '1' then call('HSET', hash(id), 'kept', kept) end
  call('PEXPIREAT', hash(id), text(over + 2 * life))
  call('ZADD', ends, text(over), member)
  if rank == 0 then call('ZADD', free, serial, member) else call('ZREM', free, member) end
  if owner ~= '0' then call('ZADD', own(owner), text(rank * RANK + serial), member) end
end
if left_by then drop(leaving .. ':' .. left_by[2]) end
if evicted and evicted[1] ~= leaving then return { 'stored', evicted[1], evicted[2] } end
return { 'stored' }
