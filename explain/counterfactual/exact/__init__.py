"""The exact search: branch and bound over everything the constraints permit, for the workers.

It compiles its kernels on first use; a process that answers requests imports none of this.
"""
