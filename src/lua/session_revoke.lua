#!lua flags=allow-oom
-- session_revoke.lua: end a session, also when Redis is full.
-- keys: the session; of a user also: the user's set
-- args: its name in the set
-- result: 1 ended; 0 there is no such session
if KEYS[2] then redis.call('SREM', KEYS[2], ARGV[1]) end
return redis.call('DEL', KEYS[1])
