#!lua flags=allow-oom
-- session_enter.lua: a browser takes a session over by a ticket, which is used up, and its earlier session ends; also when Redis is full,
-- for nothing grows.
-- keys: the session, the ticket; with an earlier session also: that, and the set of its user (without a user: the earlier session once
--       more)
-- args: its text as it was read, its text with the browser's owner and address, the earlier one's name in its set
-- result: 1 taken over; 0 it was changed or is gone; -1 the ticket was used meanwhile
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if redis.call('DEL', KEYS[2]) == 0 then return -1 end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
if KEYS[3] and KEYS[3] ~= KEYS[1] then
  redis.call('DEL', KEYS[3])
  if KEYS[4] ~= KEYS[3] then redis.call('SREM', KEYS[4], ARGV[3]) end
end
return 1
