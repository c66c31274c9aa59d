#!lua flags=allow-oom
-- request_forget.lua: delete a request that has ended, with its history, its place in lists and the data of its jobs, and tell whoever
-- watches it; also when Redis is full.
-- keys: document, guard, events, mailbox, requests to look at, the list of all, the list of its owner, that of its user (without a
--       user: its owner's once more), failed jobs
-- args: hash, channel, message, '1': the mailbox stays (a word for a bot, which goes by itself), time at which to look whether a bot has
--       written the document once more ('': never), prefix of jobs' hashes; then ids of jobs
-- result: 1 deleted; 0 there was none; -1 it has not ended
local call = redis.call
local ended = {completed = true, failed = true, cancelled = true}
local hash, prefix = ARGV[1], ARGV[6]

local status = call('HGET', KEYS[2], 'status')
if status and not ended[status] then return -1 end
local existed = call('DEL', KEYS[1])
call('DEL', KEYS[2], KEYS[3])
if ARGV[4] ~= '1' then call('DEL', KEYS[4]) end
if ARGV[5] == '' then call('ZREM', KEYS[5], hash) else call('ZADD', KEYS[5], ARGV[5], hash) end
for i = 6, 8 do call('LREM', KEYS[i], 0, hash) end

-- One that still stands in a queue needs its hash, or it would be taken for a job of somebody else.
for i = 7, #ARGV do
  local data = prefix .. ARGV[i]
  local had = redis.pcall('HGET', data, 'status')
  if ended[had] and call('PTTL', data) >= 0 then
    call('DEL', data)
    call('ZREM', KEYS[9], ARGV[i])
  elseif had then
    call('HDEL', data, 'user_id', 'result', 'history', 'error', 'message')
  end
end
call('PUBLISH', ARGV[2], ARGV[3])
return existed
