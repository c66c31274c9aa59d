#!lua flags=allow-oom
-- job_forget.lua: failed jobs are forgotten, with their data.
-- keys: the queue's list, its sets `priority`, `delayed`, `active`, `failed`
-- args: prefix of the queue's keys, prefix of its jobs' hashes, channel of notifications, prefix of the counters, key of the day's
--       statistics; then ids
-- result: how many were among the failed
local failed, prefix = KEYS[5], ARGV[2]

local forgotten = 0
for i = 6, #ARGV do
  if redis.call('ZREM', failed, ARGV[i]) == 1 then
    forgotten = forgotten + 1
    redis.call('DEL', prefix .. ARGV[i])
  end
end
return forgotten
