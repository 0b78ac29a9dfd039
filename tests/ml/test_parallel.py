import threading

import pytest
import torch

from ml.parallel import in_parallel


def test_both_run_at_once_and_come_back_in_order():
    meet = threading.Barrier(2, timeout=120)
    assert in_parallel(lambda: (meet.wait(), 1)[1], lambda: (meet.wait(), 2)[1]) == (1, 2)


def test_what_either_raises_is_raised():
    with pytest.raises(ZeroDivisionError):
        in_parallel(lambda: 1 / 0, lambda: 1)
    with pytest.raises(ZeroDivisionError):
        in_parallel(lambda: 1, lambda: 1 / 0)


def test_the_helper_keeps_torch_to_one_thread_and_leaves_the_caller_alone():
    before = torch.get_num_threads()
    assert in_parallel(torch.get_num_threads, torch.get_num_threads) == (before, 1)
    assert torch.get_num_threads() == before
