#!lua flags=allow-oom
-- Write one change of a request: document, guard, history and message together (running work goes on when Redis is full).
-- KEYS  1 document  2 guard  3 events  4 mailbox
--       with a leg to push also: 5 the queue's list  6 its active set  7 the leg's data  8 counter of all jobs  9 today's statistics
-- ARGV  1 document as it was read  2 document to write  3 status it gets  4 revision it gets  5 TTL in ms  6 history entry ('': the
--       revision stays, and nobody is told)
--       7 channel  8 stored view  9 run that writes ('': unfenced)  10 '1': empty the mailbox first  11 mail ('': none)
--       12 its TTL in ms  13 '1': take the code out of the mailbox  14 '1': repairs what was written past the guard
--       15 id of the leg ('': none)  16 job that must not be active ('': any)  17 number of args about the leg
--       18... these: its notification up to the timestamp, the channels of all, of the leg, of the user ('': none), its fields and
--       values; then the guard's fields and values
-- Result: {'saved', code or ''}; {'gone'}; {'final'}; {'stale'}; {'again'}: read and decide once more
local now = redis.call('TIME')
local allowed = {
  pending = {processing = 1},
  processing = {otp_required = 1},
  otp_required = {otp_verifying = 1},
  otp_verifying = {otp_required = 1, processing = 1},
}
local ended = {completed = 1, failed = 1, cancelled = 1}

local function may(from, to)
  return from == to or (not ended[from] and (ended[to] or (allowed[from] and allowed[from][to])))
end

-- Its number is new, so that what lies under its id is of an earlier life of the request.
local function push_leg(first, count)
  redis.call('DEL', KEYS[7])
  if ARGV[16] ~= '' and redis.call('ZSCORE', KEYS[6], ARGV[16]) then return end
  local at = string.format('%d%03d', now[1], math.floor(now[2] / 1000))
  redis.call('HSET', KEYS[7], 'created_at', at, unpack(ARGV, first + 4, first + count - 1))
  redis.call('LPUSH', KEYS[5], ARGV[15])
  redis.call('INCR', KEYS[8])
  if redis.call('HINCRBY', KEYS[9], 'tasks_total', 1) == 1 then
    redis.call('EXPIRE', KEYS[9], 90 * 86400)
  end
  for i = first + 1, first + 3 do
    if ARGV[i] ~= '' then redis.call('PUBLISH', ARGV[i], ARGV[first] .. at .. '}') end
  end
end

local document = redis.call('GET', KEYS[1])
if not document then return {'gone'} end
local guard = redis.call('HMGET', KEYS[2], 'status', 'revision', 'run')
local repairs = ARGV[14] == '1'
if ARGV[9] ~= '' and guard[3] and guard[3] ~= ARGV[9] then return {'stale'} end
local silent = ARGV[6] == ''
if document ~= ARGV[1] or (tonumber(guard[2]) or 0) ~= tonumber(ARGV[4]) - (silent and 0 or 1) then return {'again'} end
if guard[1] and not repairs then
  if ended[guard[1]] then return {'final'} end
  if not may(guard[1], ARGV[3]) then return {'again'} end
end

redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[5])
redis.call('HSET', KEYS[2], 'status', ARGV[3], 'revision', ARGV[4])
local leg_fields = tonumber(ARGV[17])
if #ARGV > 17 + leg_fields then
  redis.call('HSET', KEYS[2], unpack(ARGV, 18 + leg_fields))
end
redis.call('PEXPIRE', KEYS[2], ARGV[5])
if not silent then
  redis.call('RPUSH', KEYS[3], ARGV[6])
  redis.call('LTRIM', KEYS[3], -100, -1)
end
redis.call('PEXPIRE', KEYS[3], ARGV[5])

local code = ''
if ARGV[13] == '1' then
  local mail = redis.call('LPOP', KEYS[4])
  while mail and not string.find(mail, '"otp"', 1, true) do mail = redis.call('LPOP', KEYS[4]) end
  code = mail or ''
end
if ARGV[10] == '1' or ended[ARGV[3]] then redis.call('DEL', KEYS[4]) end
if ARGV[11] ~= '' then
  redis.call('RPUSH', KEYS[4], ARGV[11])
  redis.call('PEXPIRE', KEYS[4], ARGV[12])
end
if ARGV[15] ~= '' then push_leg(18, leg_fields) end
if not silent then redis.call('PUBLISH', ARGV[7], ARGV[8]) end
return {'saved', code}
