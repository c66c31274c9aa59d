#!lua
-- request_list.lua: a request's place in a list that leads to it, newest first, also when the same submission comes again.
-- keys: the list
-- args: hash, longest list, TTL of the list in ms
-- result: 1 listed; 0 it was among the newest hundred already
if redis.call('LPOS', KEYS[1], ARGV[1], 'MAXLEN', 100) then return 0 end
redis.call('LPUSH', KEYS[1], ARGV[1])
redis.call('LTRIM', KEYS[1], 0, ARGV[2] - 1)
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
