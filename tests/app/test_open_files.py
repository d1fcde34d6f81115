import resource

from fuseboard.app.open_files import allow_open_files


def test_the_limit_of_open_files_is_raised_as_far_as_the_system_allows() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        assert allow_open_files(512)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (512, hard)
        assert allow_open_files(300)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (512, hard), "never lowered"
        if hard != resource.RLIM_INFINITY:
            assert not allow_open_files(hard + 1)
            assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
