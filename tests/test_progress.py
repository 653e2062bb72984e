"""The progress bar: seen by a person at a terminal or in a notebook, and by nobody else."""

import io
import subprocess
import sys
import types

import pytest
from tqdm.notebook import tqdm as notebook_bar

from aecourse import progress


def replace_stderr(monkeypatch, *, terminal):
    """Return a standard error that remembers what is written, in a world without TQDM_DISABLE."""

    class Stream(io.StringIO):
        def isatty(self):
            return terminal

    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    monkeypatch.setattr(sys, "stderr", Stream())
    return sys.stderr


def shown():
    """Return whether a bar shows itself while it lasts."""
    with progress.progress_bar(12, "step") as bar:
        bar.update(5)
        return not bar.disable


def test_a_person_at_a_terminal_sees_a_bar_with_total_and_unit(monkeypatch):
    stream = replace_stderr(monkeypatch, terminal=True)
    assert shown()
    assert "/12" in stream.getvalue()
    assert "step" in stream.getvalue()


def test_a_bar_leaves_nothing_behind(monkeypatch):
    stream = replace_stderr(monkeypatch, terminal=True)
    shown()
    assert stream.getvalue().split("\r")[-1].strip() == ""


def test_a_person_in_a_notebook_sees_a_bar_though_standard_error_is_no_terminal(monkeypatch):
    replace_stderr(monkeypatch, terminal=False)
    shell = types.SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    assert shown()


@pytest.mark.parametrize("shell", [None, types.SimpleNamespace()], ids=["no shell", "a shell without a kernel"])
def test_an_ipython_without_a_kernel_is_no_notebook(monkeypatch, shell):
    stream = replace_stderr(monkeypatch, terminal=False)
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    assert not shown()
    assert stream.getvalue() == ""


def test_tqdm_disable_silences_the_bar_in_a_notebook_too(monkeypatch):
    replace_stderr(monkeypatch, terminal=True)
    monkeypatch.setenv("TQDM_DISABLE", "1")
    monkeypatch.setattr(progress, "tqdm", notebook_bar)
    assert not shown()


def test_nothing_is_printed_where_standard_error_is_no_terminal(monkeypatch, capfd):
    stream = replace_stderr(monkeypatch, terminal=False)
    assert not shown()
    assert stream.getvalue() == ""
    assert capfd.readouterr() == ("", "")


def test_a_kernel_that_is_imported_but_does_not_run_makes_no_progress_bar(monkeypatch):
    stream = replace_stderr(monkeypatch, terminal=False)
    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    shown()
    assert stream.getvalue() == ""


@pytest.mark.parametrize("installed", [True, False])
def test_a_notebook_without_ipywidgets_gets_a_bar_of_text_and_no_warning(monkeypatch, recwarn, installed):
    stream = replace_stderr(monkeypatch, terminal=False)
    shell = types.SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setattr(progress.importlib.util, "find_spec", lambda name: object() if installed else None)
    with progress.progress_bar(12, "step") as bar:
        assert isinstance(bar, notebook_bar) is installed
        assert installed or "/12" in stream.getvalue()
    assert not recwarn.list


def test_importing_the_package_loading_digits_and_plotting_them_asks_for_nothing_that_takes_seconds_or_widgets():
    code = "import sys; sys.modules['ipywidgets'] = None; import aecourse as ae; "
    code += "ae.plots.grid(ae.data.load('digits').test_images[:3]); print({*sys.modules} & {*sys.argv})"
    slow = ["tqdm.notebook", "torchvision", "torch._dynamo", "triton"]
    command = [sys.executable, "-W", "error::tqdm.TqdmWarning", "-c", code, *slow]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
    assert "IProgress" not in run.stderr


@pytest.mark.parametrize("kernel", [None, object()])
def test_widgets_that_are_there_are_for_notebooks_alone(monkeypatch, kernel):
    replace_stderr(monkeypatch, terminal=True)
    shell = types.SimpleNamespace(kernel=kernel)
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setattr(progress.importlib.util, "find_spec", lambda name: object())
    with progress.progress_bar(12, "step") as bar:
        assert isinstance(bar, notebook_bar) is (kernel is not None)
