#!lua flags=allow-oom
-- mailbox_return.lua: a letter that was taken and could not be handed over lies where it lay.
-- keys: document, mailbox
-- args: the letter, ms for which it may stay
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('LPUSH', KEYS[2], ARGV[1])
return redis.call('PEXPIRE', KEYS[2], ARGV[2])
