/** From text to the tokens that text encoders read. */
@NullMarked
package diffusion.text;

import org.jspecify.annotations.NullMarked;
