#!lua flags=allow-oom
-- request_watch.lua: look at requests at that time (running work goes on when Redis is full).
-- keys: the set of requests to look at
-- args: time in ms and hash, once or more; before them 'XX': only where it is there still, 'LT': not later than it is
-- result: how many are new there
return redis.call('ZADD', KEYS[1], unpack(ARGV))
