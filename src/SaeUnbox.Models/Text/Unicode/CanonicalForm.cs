using System.Text;

namespace SaeUnbox.Models;

/// <summary>Normalization Form C (Unicode Standard Annex 15).</summary>
internal static class CanonicalForm
{
    // string.Normalize refuses it, though like any code point that is not assigned it combines with nothing.
    private const char Refused = '\uFFFE';

    /// <param name="text">Without lone surrogates.</param>
    public static string Compose(string text) => text.Contains(Refused)
        ? string.Join(Refused, text.Split(Refused).Select(part => part.Normalize(NormalizationForm.FormC)))
        : text.Normalize(NormalizationForm.FormC);
}
