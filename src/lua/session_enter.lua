#!lua flags=allow-oom
-- session_enter.lua: a browser takes a session over, and its earlier one ends; also when Redis is full, for nothing grows.
-- keys: the session; with an earlier one also: that, and the set of its user (without a user: the earlier session once more)
-- args: its text as it was read, its text with the browser's owner and address, the earlier one's name in its set
-- result: 1 taken over; 0 it was changed or is gone
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
if KEYS[2] and KEYS[2] ~= KEYS[1] then
  redis.call('DEL', KEYS[2])
  if KEYS[3] ~= KEYS[2] then redis.call('SREM', KEYS[3], ARGV[3]) end
end
return 1
