"""The cost of changing shapes: training steps of a GPT on 1 to 512 tokens in random order."""

import json
import os

AT_MOST = 1.15  # bound of the ratio to the time of the same steps grouped by length


def run(programs, environment, runner, options):
    load = os.getloadavg()[0]
    arguments = [1, 48] if options.quick else [options.rounds]
    data = json.loads(runner.run([programs / "overheads-lengths", *arguments], environment))
    known = ("temper", "threads", "instruction set", "oneDNN", "CPU", "compiler")
    figures = {k: v for k, v in data.items() if k.endswith("_ms") or k.startswith("pool_") or k in ("ratio", "system_requests")}
    return {"machine": {k: data[k] for k in known if k in data}, "load": load, "others": runner.worst, **figures,
            "at_most": AT_MOST}
