"""Other processes and threads. No queues or pools of processes: Lambda has no /dev/shm."""

import asyncio
import concurrent.futures
import multiprocessing
import multiprocessing.connection
import subprocess
import sys
import threading


def child(pipe, number):
    pipe.send(number * number)
    pipe.close()


def squares(event):
    context = multiprocessing.get_context(event.get("method"))
    pipes = []
    for number in event["numbers"]:
        here, there = context.Pipe()
        process = context.Process(target=child, args=(there, number))
        process.start()
        pipes.append((here, process))
    found = [here.recv() for here, _ in pipes]
    for _, process in pipes:
        process.join()
    return found


def threads(event):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda number: number + 1, event["numbers"]))


def program(event):
    done = subprocess.run([sys.executable, "-c", event["code"]], capture_output=True, text=True, check=False)
    return [done.returncode, done.stdout.strip(), done.stderr.strip().splitlines()[-1:]]


async def gather(numbers):
    async def later(number):
        await asyncio.sleep(0)
        return -number

    async with asyncio.timeout(5):
        return await asyncio.gather(*map(later, numbers))


def loops(event):
    return asyncio.run(gather(event["numbers"]))


async def shell(code):
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    return out.decode().strip()


def subprocess_of_a_loop(event):
    return asyncio.run(shell(event["code"]))


def local(event):
    found = threading.local()
    found.value = 1
    timer = threading.Timer(0, lambda: setattr(found, "value", 2))
    timer.start()
    timer.join()
    return found.value


def handler(event, context):
    actions = (squares, threads, program, loops, subprocess_of_a_loop, local)
    return {action.__name__: action for action in actions}[event["do"]](event)
