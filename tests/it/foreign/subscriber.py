"""A subscriber in another language: reads the history and the live subjects, and checks every event.

Usage: subscriber.py URL USER PASSWORD SCHEMA_DIR SUBMISSION

Says "subscribed" when it listens. It ends when it has seen the submission's verdict live; then it reads the whole
history by sequence and prints one JSON object with what it saw.
"""

import asyncio
import json
import pathlib
import sys

import jsonschema
import nats


def check(validators, headers, body):
    assert headers["ce-specversion"] == "1.0", headers
    assert headers["content-type"] == "application/json", headers
    assert headers["ce-id"] and headers["ce-source"] and headers["ce-time"], headers
    kind = headers["ce-type"]
    validators[kind].validate(json.loads(body))
    return kind


async def main(url, user, password, schemas, submission):
    validators = {}
    for path in pathlib.Path(schemas).glob("*.json"):
        schema = json.loads(path.read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        validators[path.stem] = jsonschema.Draft202012Validator(schema)

    connection = await nats.connect(url, user=user, password=password, inbox_prefix=b"_INBOX_subscriber")
    live = await connection.subscribe(f"assize.live.*.{submission}.>")
    verdicts = await connection.subscribe("assize.live.*.*.*.*.*.verdict")
    await connection.flush()
    print("subscribed", flush=True)

    seen_live = []
    last_sequence = 0
    while not seen_live or seen_live[-1] != "assize.verdict_issued.v1":
        message = await live.next_msg(timeout=60)
        sequence = int(message.headers["Nats-Sequence"])
        assert sequence > last_sequence, "live events come in order"
        last_sequence = sequence
        seen_live.append(check(validators, message.headers, message.data))
    verdict = json.loads((await verdicts.next_msg(timeout=60)).data)

    jetstream = connection.jetstream(domain="ASSIZE")
    info = await jetstream.stream_info("ASSIZE_00")
    history = {}
    for sequence in range(1, info.state.last_seq + 1):
        message = await jetstream.get_msg("ASSIZE_00", sequence)
        kind = check(validators, message.headers, message.data)
        history[kind] = history.get(kind, 0) + 1
    await connection.close()
    print(json.dumps({"live": seen_live, "verdict": verdict["verdict"], "history": history}))


asyncio.run(main(*sys.argv[1:]))
