"""Every number that a chapter claims, measured the same way for every model.

`batches`: any number of images through a model; `latents`: what a code holds; `bounds`: what probability a model gives
to images; `samples`: whether draws look real; `images`: errors, filters, what a picture shows and a layer sees;
`sparsity`: which units do the work; `patches`: what attention looks at, and guesses of hidden parts; `notes`: what can
be counted in music.
"""

from .batches import *
from .bounds import *
from .images import *
from .latents import *
from .notes import *
from .patches import *
from .samples import *
from .sparsity import *
