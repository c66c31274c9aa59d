#!lua flags=allow-oom
-- job_pause.lua: nothing is taken from a queue until it is resumed.
-- keys: the queue's `paused`
-- args: the reason as JSON
-- result: 1 paused; 0 it was paused already, its reason stays
local time = redis.call('TIME')
local since = string.format('%d%03d', time[1], math.floor(time[2] / 1000))

if redis.call('SET', KEYS[1], '{"reason":' .. ARGV[1] .. ',"since":' .. since .. '}', 'NX') then return 1 end
return 0
