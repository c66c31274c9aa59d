#!lua
-- inbox_add.lua: keep a notification for a user, and tell who listens. Refused when Redis is full.
-- keys: the user's notifications, their order, those unread; where it waits for an answer also the state of that reminder
-- args: id, what is kept, the message up to its timestamp, channels: of all, of the user; most that are kept, how long in ms
-- result: 1 kept; 0 it was there already; -2 the message was answered
local call = redis.call
local id, entry, message, all, own, most, kept_ms = unpack(ARGV)

-- include part_inbox.lua

if KEYS[4] and string.sub(call('GET', KEYS[4]) or '', 1, 7) ~= 'waiting' then return -2 end
if call('HEXISTS', inbox, id) == 1 then return 0 end
drop_old(kept_ms)
local last = call('ZREVRANGE', order, 0, 0, 'WITHSCORES')
call('ZADD', order, math.max(now, (tonumber(last[2]) or 0) + 1), id)
call('HSET', inbox, id, entry)
call('SADD', unread, id)
drop(call('ZRANGE', order, 0, -most - 1))
for i = 1, 3 do call('PEXPIRE', KEYS[i], kept_ms) end
message = message .. string.format('%.0f', now) .. ',"unread":' .. call('SCARD', unread) .. '}'
call('PUBLISH', all, message)
call('PUBLISH', own, message)
return 1
