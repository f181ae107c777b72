"""Prints the events of a folder, one per line: an independent reader for the files of framework/train/tensorboard.cpp.

Uses Google's protobuf package with definitions written after TensorFlow's event.proto, summary.proto and tensor.proto, and
computes the checksums bit by bit."""

import pathlib
import struct
import sys

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

F = descriptor_pb2.FieldDescriptorProto
MESSAGES = {
    "Event": [("wall_time", 1, F.TYPE_DOUBLE), ("step", 2, F.TYPE_INT64), ("file_version", 3, F.TYPE_STRING),
              ("graph_def", 4, F.TYPE_BYTES), ("summary", 5, "Summary"), ("session_log", 7, "SessionLog")],
    "SessionLog": [("status", 1, F.TYPE_INT32), ("checkpoint_path", 2, F.TYPE_STRING), ("msg", 3, F.TYPE_STRING)],
    "Summary": [("value", 1, "Value*")],
    "Value": [("tag", 1, F.TYPE_STRING), ("simple_value", 2, F.TYPE_FLOAT), ("tensor", 8, "Tensor"), ("metadata", 9, "Metadata"),
              ("node_name", 7, F.TYPE_STRING)],
    "Metadata": [("plugin_data", 1, "PluginData"), ("display_name", 2, F.TYPE_STRING), ("summary_description", 3, F.TYPE_STRING),
                 ("data_class", 4, F.TYPE_INT32)],
    "PluginData": [("plugin_name", 1, F.TYPE_STRING), ("content", 2, F.TYPE_BYTES)],
    "Tensor": [("dtype", 1, F.TYPE_INT32), ("tensor_shape", 2, "Shape"), ("string_val", 8, "bytes*")],
    "Shape": [("dim", 2, "Dim*"), ("unknown_rank", 3, F.TYPE_BOOL)],
    "Dim": [("size", 1, F.TYPE_INT64), ("name", 2, F.TYPE_STRING)],
}


def event_class():
    file = descriptor_pb2.FileDescriptorProto(name="events.proto", package="t", syntax="proto3")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            repeated = isinstance(kind, str) and kind.endswith("*")
            added = message.field.add(name=field, number=number, label=F.LABEL_REPEATED if repeated else F.LABEL_OPTIONAL)
            if kind == "bytes*":
                added.type = F.TYPE_BYTES
            elif isinstance(kind, str):
                added.type, added.type_name = F.TYPE_MESSAGE, ".t." + kind.rstrip("*")
            else:
                added.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    descriptor = pool.FindMessageTypeByName("t.Event")
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)
    return message_factory.MessageFactory(pool).GetPrototype(descriptor)


def masked_crc(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(data):
    while data:
        header, rest = data[:12], data[12:]
        length, check = struct.unpack("<QI", header)
        assert masked_crc(header[:8]) == check, "the length's check"
        record, footer, data = rest[:length], rest[length:length + 4], rest[length + 4:]
        assert len(record) == length and masked_crc(record) == struct.unpack("<I", footer)[0], "the record's check"
        yield record


def shown(value):
    if value.metadata.plugin_data.plugin_name == "text":
        tensor = value.tensor
        assert tensor.dtype == 7 and not tensor.tensor_shape.dim and value.metadata.data_class == 2
        text = tensor.string_val[0].decode()
        return f"text {value.tag!r} {text!r}" if len(text) < 1000 else f"text {value.tag!r} '{text[:10]}... {len(text)}'"
    return f"scalar {value.tag!r} {float(f'{value.simple_value:.6g}')}"


def main():
    Event = event_class()
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*tfevents*")):
        for record in records(path.read_bytes()):
            event = Event.FromString(record)
            assert not len(getattr(event, "UnknownFields", lambda: [])() or []), "fields of no definition"
            what = [f"version {event.file_version}"] if event.file_version else []
            what += ["session START" if event.session_log.status == 1 else f"session {event.session_log.status}"] if event.session_log.status else []
            what += [shown(value) for value in event.summary.value]
            print(event.wall_time, event.step, *what)


sys.stdout.reconfigure(encoding="utf-8")
main()
