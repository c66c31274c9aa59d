#!lua flags=allow-oom
-- request_watch.lua: look at a request at that time (running work goes on when Redis is full).
-- keys: the set of requests to look at
-- args: time in ms, hash
-- result: 1 it is new there; 0 it was there
return redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])
