import threading

import pytest
import torch

from ml.parallel import in_parallel, in_processes


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


@pytest.mark.parametrize("jobs", [1, 2])
def test_processes_give_the_list_that_one_gives_in_its_order(jobs):
    assert in_processes(divmod, [9, 8, 7], [2, 3, 4], jobs=jobs) == [(4, 1), (2, 2), (1, 3)]


def test_every_process_has_one_thread():
    assert in_processes(threads_of, range(3), jobs=2) == [1, 1, 1]


def threads_of(_number):
    return torch.get_num_threads()
