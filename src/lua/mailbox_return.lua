#!lua flags=allow-oom
-- mailbox_return.lua: a letter that was taken and could not be handed over lies where it lay.
-- keys: document, mailbox
-- args: the letter, ms for which it may stay (-1: for ever)
local call = redis.call
if call('EXISTS', KEYS[1]) == 0 then return 0 end
local stays, rest = tonumber(ARGV[2]), call('PTTL', KEYS[2])
call('LPUSH', KEYS[2], ARGV[1])
-- One that came meanwhile stays as long as it would have; one without a time may lie there as well.
if stays >= 0 and rest ~= -1 then call('PEXPIRE', KEYS[2], math.max(stays, rest, 1)) end
return 1
