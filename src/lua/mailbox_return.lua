#!lua flags=allow-oom
-- mailbox_return.lua: a letter that was taken and could not be handed over lies where it lay.
-- keys: document, guard, mailbox
-- args: the letter, ms for which it may stay (-1: for ever)
-- result: 1; 0: it is not put back
local call = redis.call
if call('EXISTS', KEYS[1]) == 0 then return 0 end
-- The end of a request empties its mailbox, and the word of that is the only letter.
local ended = {completed = true, failed = true, cancelled = true}
if ended[call('HGET', KEYS[2], 'status')] and not string.find(ARGV[1], '"cancelled"', 1, true) then return 0 end
local stays, rest = tonumber(ARGV[2]), call('PTTL', KEYS[3])
call('LPUSH', KEYS[3], ARGV[1])
-- One that came meanwhile stays as long as it would have; one without a time may lie there as well.
if stays >= 0 and rest ~= -1 then call('PEXPIRE', KEYS[3], math.max(stays, rest, 1)) end
return 1
