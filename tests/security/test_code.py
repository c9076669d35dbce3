"""What no line of the product may call: what runs code out of data, or a shell."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FLOORS = ("src", "components", "pipelines", "images", "manifests")
MODULES = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
CALLS = {"eval", "exec", "compile", "os.system", "os.popen", "subprocess.getoutput", "yaml.load", "yaml.unsafe_load"}
CALLS |= {"yaml.full_load", "yaml.load_all", "torch.load", "torch.jit.load", "torch.hub.load", "np.fromfile"}
CALLS |= {"pd.read_pickle", "mlflow.pytorch.load_model", "mlflow.sklearn.load_model", "runpy.run_path", "__import__"}
CALLS |= {"tempfile.mktemp", "zipfile.ZipFile.extractall", "shutil.unpack_archive"}
LOADERS = {"yaml.Loader", "yaml.UnsafeLoader", "yaml.FullLoader"}
METHODS = {"extractall"}
ALLOWED = {
    # what was written a moment before is compared with the network, and nothing else is loaded so
    ("program.py", "torch.export.load"): "check_archive(path)",
    ("check.py", "mlflow.pyfunc.load_model"): "str(folder)",
}


def files():
    """Every Python file of the product; links to the other floors are not followed."""
    return sorted(p for floor in FLOORS for p in (ROOT / floor).rglob("*.py") if not p.is_symlink())


def unsafe(source):
    """What a file does that it may not, with its line."""
    for node in ast.walk(ast.parse(source)):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Import):
            yield from ((line, a.name) for a in node.names if a.name.partition(".")[0] in MODULES)
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in MODULES:
            yield line, node.module
        if isinstance(node, ast.Attribute) and ast.unparse(node) in LOADERS:
            yield line, ast.unparse(node)
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        if name in CALLS or name.rpartition(".")[2] in METHODS:
            yield line, name
        if name in ("np.load", "numpy.load") and given.get("allow_pickle") != "False":
            yield line, name
        if given.get("allow_pickle", "False") != "False" or given.get("weights_only", "True") != "True":
            yield line, name
        if given.get("shell", "False") != "False":
            yield line, f"{name}(shell=…)"


@pytest.mark.parametrize(
    "line",
    [
        *("import pickle", "from joblib import load", "import cloudpickle as p", "torch.load(f)", "np.load(f)"),
        *("np.load(f, allow_pickle=True)", "np.save(f, x, allow_pickle=flag)", "yaml.load(t, Loader=yaml.Loader)"),
        *("eval(x)", "exec(x)", "subprocess.run(c, shell=True)", "os.system(c)", "archive.extractall(to)"),
        "x(f, weights_only=False)",
    ],
)
def test_the_search_finds(line):
    assert list(unsafe(line))


def test_nothing_in_the_product_runs_code_out_of_data():
    found = files()
    assert len(found) > 400
    wrong = [(str(p.relative_to(ROOT)), *what) for p in found for what in unsafe(p.read_text(encoding="utf-8"))]
    assert wrong == []


def test_programs_and_models_of_others_are_loaded_nowhere_but_where_they_were_written():
    loading = {}
    for path in files():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
                (".load_model", "export.load", "load_pt2")
            ):
                loading[path.name, ast.unparse(node.func)] = path.read_text(encoding="utf-8")
    assert loading.keys() <= ALLOWED.keys()
    for place, source in loading.items():
        assert ALLOWED[place] in source
