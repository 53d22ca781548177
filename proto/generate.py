"""Compile proto/*.proto into the descriptor set that the package ships.

A descriptor set, not ``_pb2`` modules: the set does not depend on the protobuf release that reads
it (generated modules are only promised to work with the next major release), and loading it into
a pool of our own keeps it apart from every other SDK in the process.

    python proto/generate.py           # write statefun_nb/protocol/_generated/statefun.binpb
    python proto/generate.py --check   # exit 1 if that file is not what proto/ says
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc

HERE = Path(__file__).resolve().parent
TARGET = HERE.parent / "statefun_nb" / "protocol" / "_generated" / "statefun.binpb"


def compile_protos() -> bytes:
    """The FileDescriptorSet of every .proto in this folder, serialised."""
    sources = sorted(path.name for path in HERE.glob("*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "set.binpb"
        status = protoc.main(
            ["protoc", f"--proto_path={HERE}", f"--descriptor_set_out={output}", *sources]
        )
        if status != 0:
            raise SystemExit(f"protoc failed with status {status}")
        return output.read_bytes()


def same_descriptors(left: bytes, right: bytes) -> bool:
    """Equal as messages: protoc releases may order the same bytes differently."""
    return FileDescriptorSet.FromString(left) == FileDescriptorSet.FromString(right)


def main() -> None:
    """Write the descriptor set, or compare it with --check."""
    compiled = compile_protos()
    if "--check" in sys.argv[1:]:
        if not TARGET.exists() or not same_descriptors(compiled, TARGET.read_bytes()):
            raise SystemExit(f"{TARGET.name} differs from proto/: run python proto/generate.py")
        return
    TARGET.write_bytes(compiled)


if __name__ == "__main__":
    main()
