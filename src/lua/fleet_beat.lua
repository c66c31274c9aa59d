#!lua flags=allow-oom
-- fleet_beat.lua: a worker says that it lives, and learns whether all were told to start anew.
-- keys: the worker's hash, the set of workers by last beat, the time of the last `peygir queue restart`
-- args: id, how long a beat counts in ms, for how many ms the worker has lived, then fields and values of the hash
-- result: 1 when it began before that restart, else 0
local worker, workers, restart = KEYS[1], KEYS[2], KEYS[3]
local id, ttl, age = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

redis.call('HSETNX', worker, 'started_at', now - age)
redis.call('HSET', worker, 'beat_at', now, unpack(ARGV, 4))
redis.call('PEXPIRE', worker, ttl)
redis.call('ZADD', workers, now, id)
redis.call('ZREMRANGEBYSCORE', workers, '-inf', now - ttl)
-- One from the future was given before the clock was set back: it must not stop worker after worker.
local asked = tonumber(redis.call('GET', restart) or 0) or 0
return asked >= now - age and asked <= now and 1 or 0
