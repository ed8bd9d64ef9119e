/** Pictures made clean, whole or larger again: a diffusion model as prior, and classical methods to compare with. */
@NullMarked
package diffusion.restore;

import org.jspecify.annotations.NullMarked;
