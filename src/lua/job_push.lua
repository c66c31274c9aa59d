#!lua
-- job_push.lua: a new job: at the tail of its queue, in the priority set, or delayed. Refused when Redis is full.
-- keys: the queue's list, its set `active`, the job's hash, the counter of all jobs, the day's statistics; with a place of its own
--       also its sets `delayed` and `priority`, its counter `sequence`; with a unique key also that key
-- args: id, notification up to its timestamp, channels: of all, of the job, of the user ('': none); with a place of its own:
--       priority (-1: none), delay in ms, ms for which the key is unique (0: until the end); then fields and values of the hash
-- result: 1 pushed; 0 there is a job of that id (one that was taken and whose lease is lost goes back to the head);
--         text: id of the job that has the same unique key
-- include part_push.lua

return push(KEYS, ARGV)
