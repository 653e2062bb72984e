"""Every number that a chapter claims, measured the same way for every model.

`latents`: what a code holds; `bounds`: what probability a model gives to images; `samples`: whether draws look real;
`images`: errors, filters and what a layer sees; `sparsity`: which units do the work; `patches`: what attention looks
at, and guesses of hidden parts; `notes`: what can be counted in music.
"""

from .bounds import *
from .images import *
from .latents import *
from .notes import *
from .patches import *
from .samples import *
from .sparsity import *
