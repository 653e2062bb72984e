"""A green run of the notebooks means it: no cell that nbval cut off, and none behind it, counts as passed."""

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Fail the cells behind one that was cut off; nbval would run them, and call whatever they do expected."""
    if cut_off := getattr(item.parent, "cut_off", None):
        pytest.fail(f"not run, since {cut_off} ran into the time limit", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Fail the cell that ran into the time limit, though its code may have taken the interrupt for a person's Ctrl-C.

    `training.fit` does, and returns a model that is trained by half.
    """
    try:
        return (yield)
    finally:
        if getattr(item.parent, "timed_out", False):
            item.parent.cut_off = item.name
            pytest.fail(f"{item.name} ran into the time limit", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Turn every expected failure, kept or not, into a failure."""
    report = yield
    if hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"nothing is expected to fail here: {report.__dict__.pop('wasxfail')}"
    return report
