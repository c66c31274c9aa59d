#!lua flags=allow-oom
-- fleet_beat.lua: a worker says that it lives.
-- keys: the worker's hash, the set of workers by last beat
-- args: id, how long a beat counts in ms, then fields and values of the hash
-- result: the time of the beat in ms
local worker, workers = KEYS[1], KEYS[2]
local id, ttl = ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

redis.call('HSET', worker, 'beat_at', now, unpack(ARGV, 3))
redis.call('PEXPIRE', worker, ttl)
redis.call('ZADD', workers, now, id)
redis.call('ZREMRANGEBYSCORE', workers, '-inf', now - ttl)
return now
