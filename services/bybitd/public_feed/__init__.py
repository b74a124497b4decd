"""One category of the exchange's public data: `public-feed-<category>`.

bytes -> `Session.receive` -> map -> `Channel.apply` (proof) -> `Publisher.publish`, in `pipeline`.
What is subscribed follows `demand`; `feed` ties demand, channels and connections together.
"""
