#!lua
-- session_adopt.lua: give a session that others wrote its owner, unless it was changed meanwhile.
-- keys: the session
-- args: its text as it was read, its text with the owner
-- result: 1 written; 0 it was changed or is gone
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
return 1
