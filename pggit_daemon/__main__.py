"""`python -m pggit_daemon` is `pggit-daemon`."""

from pggit_daemon.cli.main import main

if __name__ == "__main__":
    main()
