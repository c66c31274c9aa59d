#!lua
-- job_push_many.lua: many new jobs of one shape at the tail of one queue, in their order. Refused when Redis is full.
-- keys: the queue's list, the counter of all jobs, the day's statistics
-- args: 1 prefix of the jobs' hashes, 2 channel of notifications, 3 number of fields, 4 which of them is user_id (0: none),
--       5 '1': no id and no user needs escaping in JSON, then the names of the fields; then for each job its id and the values
-- result: number pushed; ids that exist are left alone
local call = redis.call
local prefix, channel, fields, user_field, clean = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5] == '1'
local own_channel, user_channel = channel .. ':task:', channel .. ':user:'
local time = call('TIME')
local now = time[1] .. string.sub('00000' .. time[2], -6, -4)
local head = '{"type":"task_pending","task_id":' .. (clean and '"' or '')
local middle, tail = ',"user_id":', ',"status":"pending","timestamp":' .. now .. '}'
local without_user = (clean and '"' or '') .. middle .. 'null' .. tail

local function quoted(text) return clean and '"' .. text .. '"' or cjson.encode(text) end

local hash = {'status', 'pending', 'created_at', now}
for i = 1, fields do hash[3 + 2 * i] = ARGV[5 + i] end

-- Mostly none exists: one look at all tells.
local hashes = {}
for at = 6 + fields, #ARGV, 1 + fields do hashes[#hashes + 1] = prefix .. ARGV[at] end
local all_new = call('EXISTS', unpack(hashes)) == 0

-- All its fields are new unless the id is among these jobs twice.
local function is_new(data, at)
  if not all_new and call('EXISTS', data) == 1 then return false end
  for i = 1, fields do hash[4 + 2 * i] = ARGV[at + i] end
  return call('HSET', data, unpack(hash)) == 2 + fields
end

local ids, count, at = {}, 0, 6 + fields
for n = 1, #hashes do
  local id = ARGV[at]
  if is_new(hashes[n], at) then
    count = count + 1
    ids[count] = id
    local user = user_field > 0 and ARGV[at + user_field]
    local message
    if user then
      message = '{"type":"task_pending","task_id":' .. quoted(id) .. middle .. quoted(user) .. tail
    else
      message = head .. (clean and id or cjson.encode(id)) .. without_user
    end
    call('PUBLISH', channel, message)
    call('PUBLISH', own_channel .. id, message)
    if user then call('PUBLISH', user_channel .. user, message) end
  end
  at = at + 1 + fields
end
if count == 0 then return 0 end
call('LPUSH', KEYS[1], unpack(ids))
call('INCRBY', KEYS[2], count)
if call('HINCRBY', KEYS[3], 'tasks_total', count) == count then
  call('EXPIRE', KEYS[3], 90 * 86400)
end
return count
