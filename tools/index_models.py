"""Renew models.json, the list of bundled models with their hashes.

python tools/index_models.py

Run it after `vitruvian export … -o src/vitruvian/runtime/models/NAME.onnx`; then renew the
numbers of the model card.
"""

import hashlib
import json

from vitruvian.runtime.weights import FOLDER, bundled_model


def main() -> None:
    """List every ONNX file of the folder, then load each through the check that users get."""
    rows = {}
    for path in sorted(FOLDER.glob("*.onnx")):
        data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        rows[path.stem] = {"file": path.name, "sha256": digest, "bytes": len(data)}
    (FOLDER / "models.json").write_text(json.dumps(rows, indent=1) + "\n")
    for name, row in rows.items():
        bundled_model(name)
        print(f"{name}: {row['bytes'] / 1e6:.1f} MB, sha256 {row['sha256']}")


if __name__ == "__main__":
    main()
