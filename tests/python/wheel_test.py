"""`pip install .` in a fresh environment: the package alone generates, from somewhere else, on every backend."""
import pathlib
import subprocess
import sys
import tempfile
import venv

ROOT = pathlib.Path(__file__).resolve().parents[2]
CODE = """if True:
    import pathlib, sys, xlstm_cpp
    assert sys.prefix in xlstm_cpp.__file__ and (pathlib.Path(xlstm_cpp.__file__).parent / "py.typed").exists()
    texts = set()
    for backend in xlstm_cpp.backend_names():
        with xlstm_cpp.load(backend=backend) as model:
            texts.add(model.generate("In the beginning God", max_tokens=8, temperature=0).text)
    assert xlstm_cpp.backend_names() == ["cpu", "mlx", "mlx-cpu"] and len(texts) == 1, texts
"""


def main():
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = f"{folder}/bin/python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", ROOT], check=True)
        subprocess.run([python, "-c", CODE], check=True, cwd=folder)


if __name__ == "__main__":
    sys.exit(main())
