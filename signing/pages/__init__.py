"""Looking at pages and rebuilding damaged files, in a process of its own.

Rendering means running a large C++ engine over bytes from strangers. That never happens in a process that can
reach a key: :mod:`signing.pages.worker` runs it with no secrets in its environment, few open files and hard
limits on memory and time; :mod:`signing.pages.inspector` starts, asks and if need be replaces it.
"""
