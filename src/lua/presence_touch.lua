#!lua
-- presence_touch.lua: a user is here: online for a while, and last seen now. It is a hint: a Redis that is full refuses it whole, and nobody minds.
-- keys: the user's, the sorted set of all by when they were last seen
-- args: the user, how long they are online in ms, how long they are remembered in ms
-- result: 1
local call = redis.call
local user, online, kept = ARGV[1], ARGV[2], tonumber(ARGV[3])
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

call('SET', KEYS[1], now, 'PX', online)
call('ZADD', KEYS[2], now, user)
call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - kept)
call('PEXPIRE', KEYS[2], kept) -- where nobody comes any more, nobody trims
return 1
