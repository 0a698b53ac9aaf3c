-- Posts the bodies of a file in turn, and says in one line of JSON what came back.
--   wrk -t1 -c8 -d2s -s drive.lua http://127.0.0.1:PORT/PATH -- BODIES
local requests, turn = {}, 0

function init(arguments)
   local headers = { ["Content-Type"] = "application/json" }
   for body in io.lines(arguments[1]) do
      requests[#requests + 1] = wrk.format("POST", nil, headers, body)
   end
end

function request()
   turn = turn % #requests + 1
   return requests[turn]
end

function done(summary, latency)
   local e = summary.errors
   io.write(string.format(
      '{"answered": %d, "seconds": %.6f, "p50": %.3f, "p99": %.3f, "failed": %d}\n',
      summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
      latency:percentile(99) / 1e3, e.connect + e.read + e.write + e.status + e.timeout))
end
