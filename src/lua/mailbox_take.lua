#!lua flags=allow-oom
-- mailbox_take.lua: the oldest letter for a bot that waits, once.
-- keys: document, guard, mailbox
-- args: run of the bot ('': the present one)
-- result: {'letter', its text, ms that it would have stayed}; {'empty'}; {'gone'}: no such request; {'stale'}: the run is over;
--         {'final'}: the request has ended, and no word of that is left
local call = redis.call
if call('EXISTS', KEYS[1]) == 0 then return {'gone'} end
local guard = call('HMGET', KEYS[2], 'status', 'run')
if ARGV[1] ~= '' and guard[2] and guard[2] ~= ARGV[1] then return {'stale'} end
local stays = call('PTTL', KEYS[3])
local letter = call('LPOP', KEYS[3])
if letter then return {'letter', letter, stays} end
local ended = {completed = true, failed = true, cancelled = true}
return {ended[guard[1]] and 'final' or 'empty'}
