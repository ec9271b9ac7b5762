"""Several requests at once, each printed line by line as it grows; then constrained answers in one batch."""
import asyncio

import xlstm_cpp


async def talk(service, name):
    text = ""
    async for piece in service.submit(f"{name}.\n", max_tokens=24, seed=7, temperature=0.8, stop="\n\n"):
        text += piece
    return f"{name}: {text.strip()!r}"


async def talk_all(service, names):
    for line in await asyncio.gather(*(talk(service, name) for name in names)):
        print(line)


def main():
    with xlstm_cpp.Service() as service:
        asyncio.run(talk_all(service, ["HAMLET", "ROMEO", "JULIET"]))
        made = service.batch([f"Is {name} king? " for name in ("Hamlet", "Claudius")], regex="yes|no", max_tokens=8)
        print([completion.text for completion in made])
        print("read", service.stats()["prefill_tokens"], "tokens of prompts")


if __name__ == "__main__":
    main()
