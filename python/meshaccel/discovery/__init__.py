"""Agents as a registry knows them, kept up to date by what changed.

``IncrementalServiceDiscovery`` is for users. Beneath it, without any I/O: ``protocol`` (the words),
``selector``, ``convergence`` (the hashes), ``records`` (what is held), ``phases`` and ``follower``
(which question next, what an answer means). The registry's side of it is in ``db/feed.py`` and
``registry/feed.py``, which need some of these modules and none that does I/O: so nothing is
imported here. Take the names from ``meshaccel``.
"""
