"""What a Redis server runs for a limit: one script, so each step is atomic.

The algorithm is GCRA, as in ``algorithms.Bucket``, in whole microseconds of the server's own
clock. Its state is one moment: when the bucket is full again. Taking a permit moves
it one interval on; a permit is for the moment at which less than the burst is in use.

The server forgets the state when the bucket is full, by an expiry, and may lose it
earlier: by a restart, an eviction or a failover. So who asks also tells what it was
told with its own last permit, and the later of both moments counts.

With its key it takes ten words, the most that a server reads of one who is not logged
in: with more, it would not say that this is what is wrong.
"""

from typing import Final

SCRIPT: Final = """\
local what = ARGV[1] -- reserve, look or release
local interval = tonumber(ARGV[2])
local tolerance = tonumber(ARGV[3]) -- (burst - 1) * interval
local amount = tonumber(ARGV[4]) -- the patience; to release, the moment it had set
local known = tonumber(ARGV[5]) -- the caller's own moment, to heal a loss; 0: none
local ahead = tonumber(ARGV[6]) -- how far ahead it lies at most; 0: it is past

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local full = 0

local function keep()
  if full <= now then
    redis.call('DEL', KEYS[1])
    return
  end
  local value = string.format('%.0f %.0f', full, now)
  local expiry = math.ceil((full - now) / 1000) + 1
  redis.call('SET', KEYS[1], value, 'PX', string.format('%.0f', expiry))
end

local kept = redis.call('GET', KEYS[1])
if kept then
  local moment, seen = string.match(kept, '^(%d+) (%d+)$')
  if not moment then
    return redis.error_reply('ERR the key holds something else than a limit')
  end
  full = tonumber(moment)
  local back = tonumber(seen) - now
  if back > 0 then
    -- The clock was set back; no wait is longer for it.
    full = full - back
    keep()
  end
end
if ahead > 0 then
  -- The clock may be another server's: no wait is longer than the caller's own.
  local claim = now + ahead
  if known > 0 then
    claim = math.min(claim, known)
  end
  full = math.max(full, claim)
end

if what == 'release' then
  local is_last = full == amount
  if is_last then
    full = full - interval
    keep()
  end
  return {is_last and 1 or 0, 0, full, full - now}
end

full = math.max(full, now)
local wait = math.max(full - tolerance - now, 0)
local granted = what == 'reserve' and wait <= amount
if granted then
  full = full + interval
  keep()
end
return {granted and 1 or 0, wait, full, full - now}
"""
"""Returns whether it was done, the wait, the moment, and how far that lies ahead."""
