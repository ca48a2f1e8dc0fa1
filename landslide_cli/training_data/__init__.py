"""What a training learns from: tiles, random crops of whole scenes, or windows of them, in batches.

Decoded images come from `store`; `tiles`, `crops`, `mosaics` and `windows` make examples of them,
`augment` changes these at random, `batches` feeds them to TensorFlow, and `inputs` puts it together
as a profile says.
"""
