#!lua flags=allow-oom
-- job_check.lua: does each of these jobs stand in exactly one right place, now? With `repair` it does afterwards.
-- keys: the queue's list, its sets `priority`, `delayed`, `active`, `failed`
-- args: prefix of the queue's keys, prefix of its jobs' hashes, channel of notifications, prefix of the counters, key of the day's
--       statistics; lease in ms, 'repair' or '', then id and how often the list has it ('?': look) for each job
-- result: for each job its fault, counted from 1 in the order of job_faults (core/job_admin.h); 0: none
local call = redis.call
local list, priority, delayed, active, failed = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local base, prefix, lease, repairs = ARGV[1], ARGV[2], tonumber(ARGV[6]), ARGV[7] == 'repair'
local ACTIVE_WITHOUT_LEASE, LEASE_WITHOUT_JOB, LISTED_WITHOUT_DATA, LISTED_TWICE, IN_NO_SET = 1, 2, 3, 4, 5
local ended = {completed = true, failed = true, cancelled = true}
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- include part_number.lua
-- include part_back.lua

local filled = {}
for i = 2, 5 do filled[KEYS[i]] = call('ZCARD', KEYS[i]) > 0 end
local function score_in(set, id) return filled[set] and call('ZSCORE', set, id) end

local function look(id, listed)
  local had = redis.pcall('HMGET', prefix .. id, 'status', 'type', 'priority', 'completed_at')
  if had.err then return nil end
  local job = {id = id, data = prefix .. id, status = had[1], type = had[2], level = had[3], is_over = had[4]}
  job.is_stored = had[1] or had[2] or call('EXISTS', job.data) == 1
  job.listed = listed == '?' and #call('LPOS', list, id, 'COUNT', 0) or tonumber(listed)
  job.ranked, job.delayed = score_in(priority, id), score_in(delayed, id)
  job.active, job.failed = score_in(active, id), score_in(failed, id)
  job.waits = job.listed + (job.ranked and 1 or 0) + (job.delayed and 1 or 0)
  return job
end

-- A leased job may say `pending`, and one that has ended too: a producer wrote its hash after it was taken.
local function fault_of(job)
  if job.active then
    if not job.is_stored or ended[job.status] then return LEASE_WITHOUT_JOB end
    return (job.waits > 0 or job.failed) and LISTED_TWICE or 0
  end
  if job.status == 'processing' then return ACTIVE_WITHOUT_LEASE end
  if ended[job.status] then return job.status == 'failed' and job.failed and job.waits > 0 and LISTED_TWICE or 0 end
  if job.waits > 1 or (job.waits == 1 and job.failed and job.is_stored) then return LISTED_TWICE end
  if job.waits == 1 then return job.is_stored and 0 or LISTED_WITHOUT_DATA end
  return job.is_stored and not job.is_over and IN_NO_SET or 0
end

local function leave_delayed(job)
  call('ZREM', delayed, job.id)
  call('ZREM', base .. 'limited:' .. (job.type or 'default'), job.id)
  if job.is_stored then call('HDEL', job.data, 'held_score') end
end

local function leave_waiting(job)
  call('LREM', list, 0, job.id)
  call('ZREM', priority, job.id)
  leave_delayed(job)
end

-- Where it would be taken first, it stays.
local function keep_one(job)
  local count = #call('LPOS', list, job.id, 'COUNT', 0)
  call('ZREM', failed, job.id)
  if count > 1 then call('LREM', list, count - 1, job.id) end -- the newest ones
  if count > 0 then call('ZREM', priority, job.id) end
  if count > 0 or job.ranked then leave_delayed(job) end
end

-- At the tail, as after a delay.
local function put_back(job)
  call('ZREM', failed, job.id)
  call('HDEL', job.data, 'from_score')
  call('HSET', job.data, 'status', 'pending')
  to_tail(job.id, job.level)
end

local repair = {
  -- A worker that lives renews it; a dead one's is recovered.
  [ACTIVE_WITHOUT_LEASE] = function(job)
    leave_waiting(job)
    call('ZREM', failed, job.id)
    call('ZADD', active, now + lease, job.id)
  end,
  [LEASE_WITHOUT_JOB] = function(job)
    call('ZREM', active, job.id)
    call('ZREM', base .. 'running:' .. (job.type or 'default'), job.id)
  end,
  [LISTED_WITHOUT_DATA] = function(job) call('HSET', job.data, 'type', 'default', 'status', 'pending', 'created_at', now) end,
  [LISTED_TWICE] = function(job)
    if job.active or job.status == 'failed' then leave_waiting(job) else keep_one(job) end
    if job.active then call('ZREM', failed, job.id) end
  end,
  [IN_NO_SET] = put_back,
}

local faults = {}
for i = 8, #ARGV, 2 do
  local job = look(ARGV[i], ARGV[i + 1])
  local fault = job and fault_of(job) or 0
  if repairs and fault > 0 then repair[fault](job) end
  faults[#faults + 1] = fault
end
return faults
